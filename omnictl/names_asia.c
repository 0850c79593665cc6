/*
 * Names of eastern and south-eastern Asia. Chinese and Korean given names are put together from
 * one or two syllables, as parents do.
 */
#include "omnictl/names.h"

static const struct culture CULTURES[] = {
    {.given =
         "伟=wei|芳=fang|娜=na|敏=min|静=jing|丽=li|强=qiang|磊=lei|军=jun|洋=yang|勇=yong|艳=yan|"
         "杰=jie|"
         "娟=juan|涛=tao|明=ming|超=chao|秀=xiu|霞=xia|平=ping|刚=gang|桂=gui|英=ying|华=hua|玉=yu|"
         "文=wen|"
         "国=guo|建=jian|红=hong|志=zhi|子=zi|轩=xuan|梓=zi|涵=han|宇=yu|浩=hao|欣=xin|怡=yi|晨="
         "chen|雨=yu|"
         "思=si|嘉=jia|俊=jun|昊=hao|天=tian|一=yi|诺=nuo|若=ruo|曦=xi|翔=xiang|𬱖=wei",
     .family = "王=wang|李=li|张=zhang|刘=liu|陈=chen|杨=yang|黄=huang|赵=zhao|吴=wu|周=zhou|徐=xu|"
               "孙=sun|马=ma|"
               "朱=zhu|胡=hu|郭=guo|何=he|高=gao|林=lin|罗=luo|郑=zheng|梁=liang|谢=xie|宋=song|唐="
               "tang|许=xu|"
               "韩=han|冯=feng|邓=deng|曹=cao|彭=peng|曾=zeng|萧=xiao|田=tian|董=dong|袁=yuan|潘="
               "pan|蒋=jiang|"
               "蔡=cai|余=yu|叶=ye|吕=lv|欧阳=ouyang|司马=sima|上官=shangguan|诸葛=zhuge|㐱=zhen",
     .countries = "cn|sg|my|us|ca",
     .weight = 190,
     .flags = CULTURE_FAMILY_FIRST | CULTURE_NO_SPACE | CULTURE_SYLLABLES},
    {.given = "怡=yi|君=chun|雅=ya|婷=ting|家=chia|豪=hao|志=chih|明=ming|淑=shu|芬=fen|美=mei|玲="
              "ling|俊=chun|"
              "宏=hung|冠=kuan|宇=yu|詩=shih|涵=han|承=cheng|恩=en|龍=lung|鳳=feng|國=kuo|榮=jung|"
              "麗=li|華=hua",
     .family = "陳=chen|林=lin|黃=huang|張=chang|李=lee|王=wang|吳=wu|劉=liu|蔡=tsai|楊=yang|許="
               "hsu|鄭=cheng|"
               "謝=hsieh|郭=kuo|洪=hung|曾=tseng|邱=chiu|廖=liao|賴=lai|歐陽=ouyang|龔=kung|嚴=yen|"
               "蕭=hsiao",
     .countries = "tw|hk|mo|us|ca",
     .weight = 25,
     .flags = CULTURE_FAMILY_FIRST | CULTURE_NO_SPACE | CULTURE_SYLLABLES},
    {.given = "翔太=shota|さくら=sakura|蓮=ren|美咲=misaki|大輔=daisuke|陽菜=hina|健太=kenta|結衣="
              "yui|拓也=takuya|"
              "葵=aoi|一郎=ichiro|花子=hanako|誠=makoto|由美子=yumiko|浩=hiroshi|恵子=keiko|直樹="
              "naoki|愛=ai|"
              "龍之介=ryunosuke|マリア=maria|ひなた=hinata|翼=tsubasa|楓=kaede|美優=miyu|真由美="
              "mayumi|智子=tomoko|"
              "悠斗=yuto|エミリー=emily|凛=rin|颯=hayate|𠮷郎=yoshiro",
     .family =
         "佐藤=sato|鈴木=suzuki|高橋=takahashi|田中=tanaka|伊藤=ito|渡辺=watanabe|山本=yamamoto|"
         "中村=nakamura|"
         "小林=kobayashi|加藤=kato|吉田=yoshida|山田=yamada|佐々木=sasaki|山口=yamaguchi|松本="
         "matsumoto|"
         "井上=inoue|木村=kimura|林=hayashi|斎藤=saito|清水=shimizu|齋藤=saito|髙橋=takahashi|"
         "渡邊=watanabe|長谷川=hasegawa|小鳥遊=takanashi|勅使河原=teshigawara|𠮷野=yoshino|五十嵐="
         "igarashi",
     .countries = "jp|us|br",
     .weight = 75,
     .flags = CULTURE_FAMILY_FIRST},
    {.given = "민=min|지=ji|서=seo|현=hyun|준=jun|영=young|수=su|은=eun|혜=hye|진=jin|윤=yoon|정="
              "jung|우=woo|"
              "호=ho|연=yeon|희=hee|성=sung|경=kyung|미=mi|재=jae|아=a|도=do|하=ha|유=yu|나=na|빈="
              "bin|슬=seul|"
              "빛=bit|솔=sol|별=byeol",
     .family = "김=kim|이=lee|박=park|최=choi|정=jung|강=kang|조=cho|윤=yoon|장=jang|임=lim|한=han|"
               "오=oh|서=seo|"
               "신=shin|권=kwon|황=hwang|안=ahn|송=song|류=ryu|전=jeon|홍=hong|남궁=namgung|황보="
               "hwangbo|독고=dokgo|"
               "뙇=ttwak",
     .countries = "kr|us",
     .weight = 50,
     .flags = CULTURE_FAMILY_FIRST | CULTURE_NO_SPACE | CULTURE_SYLLABLES},
    {.given =
         "Anh|Linh|Minh|Hương|Dũng|Lan|Tuấn|Mai|Hùng|Thảo|Đức|Ngọc|Quân|Phương|Long|Trang|Việt|"
         "Hằng|"
         "Thị Hoa|Văn Nam|Quốc Bảo|Mỹ Linh|Thị Ngọc Ánh|Đăng Khoa|Hữu Phước|Bích Thủy|Nguyệt|Ý",
     .family =
         "Nguyễn|Trần|Lê|Phạm|Huỳnh|Hoàng|Phan|Vũ|Võ|Đặng|Bùi|Đỗ|Hồ|Ngô|Dương|Lý|Tôn Nữ|Đinh|Trịnh|"
         "Âu Dương",
     .countries = "vn|us|au|fr",
     .weight = 50,
     .flags = CULTURE_FAMILY_FIRST},
    {.given = "สมชาย=somchai|สมหญิง=somying|ณัฐพล=natthaphon|พิมพ์ชนก=phimchanok|กิตติ=kitti|อรุณี=arunee|"
              "วิชัย=wichai|สุดารัตน์=sudarat|ธนากร=thanakorn|มาลี=malee|ประเสริฐ=prasert|น้ำฝน=namfon|"
              "ปวีณา=paweena|ชัยวัฒน์=chaiwat|กัญญารัตน์=kanyarat|ศิริพร=siriporn|ฤทัย=ruethai",
     .family =
         "แสงทอง=saengthong|ศรีสุข=srisuk|ทองดี=thongdee|บุญมี=boonmee|วงศ์ไทย=wongthai|ใจดี=jaidee|"
         "สุวรรณ=suwan|รัตนกุล=rattanakul|พงษ์พานิช=pongpanich|ชินวัตร=shinawatra|เจริญสุข=charoensuk|"
         "ณ อยุธยา=naayutthaya|สีหบุรี=sihaburi|จันทร์โอชา=chanocha|กิตติขจรไพศาล=kittikachornphaisan",
     .countries = "th|us",
     .weight = 30,
     .flags = 0},
    {.given =
         "Siti|Muhammad|Dewi|Agus|Budi|Sri|Putri|Ahmad|Nur|Slamet|Wati|Eko|Yanti|Adi|Indah|Suharto|"
         "Sukarno|Ayu|Made|Wayan|Ketut|Nyoman|Rizky|Fitri|Bambang|Kusuma|Aisyah|Nurul",
     .family =
         "Saputra|Wijaya|Lestari|Santoso|Hidayat|Setiawan|Rahayu|Susanto|Kusuma|Pratama|Nugroho|"
         "Siregar|"
         "Nasution|Simanjuntak|Hutagalung|bin Abdullah|binti Ismail|bin Ahmad|Tan|Lim|Gunawan|"
         "Sastrowardoyo",
     .countries = "id|my|sg|bn",
     .weight = 80,
     .flags = CULTURE_MONONYM | CULTURE_MIDDLE},
    {.given = "Maria|Jose|Juan|Angel|Princess|Mark|Michelle|John "
              "Paul|Grace|Jericho|Cherry|Rodrigo|Divine|"
              "Bong|Maricel|Jun-Jun|Ma. Cristina|Niño|Luzviminda",
     .family =
         "Santos|Reyes|Cruz|Bautista|Ocampo|del Rosario|Dela Cruz|Garcia|Mendoza|Aquino|Villanueva|"
         "Macaraeg|Magsaysay|Dimaculangan|Pangilinan|Bañez|Ong|Sy|Ng",
     .countries = "ph|us|ae",
     .weight = 40,
     .flags = CULTURE_MIDDLE},
    {.given = "အောင်=aung|ခင်=khin|မောင်=maung|စန္ဒာ=sandar|ကျော်=kyaw|သီရိ=thiri|ဇော်=zaw|နန်းမြင့်=nanmyint",
     .family = "ဦး=oo|ထွန်း=tun|လှိုင်=hlaing|မင်း=min|ဝင်း=win|မြတ်နိုး=myatnoe",
     .countries = "mm|th",
     .weight = 10,
     .flags = CULTURE_MONONYM},
    {.given = "សុខ=sok|ចន្ទា=chanda|វិបុល=vibol|ស្រីមុំ=sreymom|ដារ៉ា=dara|បុប្ផា=bopha|ពិសិដ្ឋ=piseth",
     .family = "ជា=chea|កែវ=keo|ស៊ិន=sin|ហេង=heng|លី=ly|ប៉ុក=pok|ឧត្តម=oudom",
     .countries = "kh|fr",
     .weight = 5,
     .flags = CULTURE_FAMILY_FIRST},
    {.given = "Бат=bat|Сарнай=sarnai|Болд=bold|Оюун=oyuun|Ганзориг=ganzorig|Мөнхбат=munkhbat|"
              "Нэргүй=nergui|"
              "Энхтуяа=enkhtuya|Отгонбаяр=otgonbayar",
     .family =
         "Доржийн=dorjiin|Батын=batyn|Лувсан=luvsan|Цэдэнбал=tsedenbal|Гомбо=gombo|Өлзий=ulzii",
     .countries = "mn",
     .weight = 4,
     .flags = CULTURE_FAMILY_FIRST | CULTURE_MONONYM},
};

const struct culture_table NAMES_ASIA = {CULTURES, sizeof CULTURES / sizeof *CULTURES};
