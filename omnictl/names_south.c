/* Names of the Middle East, Africa and South Asia. */
#include "omnictl/names.h"

static const struct culture CULTURES[] = {
    {.given =
         "محمد=mohamed|فاطمة=fatima|أحمد=ahmed|مريم=maryam|علي=ali|عائشة=aisha|عمر=omar|نور=nour|"
         "يوسف=youssef|سارة=sara|حسن=hassan|ليلى=layla|إبراهيم=ibrahim|زينب=zainab|خالد=khaled|"
         "هدى=huda|عبد الله=abdullah|عبد "
         "الرحمن=abdulrahman|آمنة=amina|رؤى=ruaa|سُعاد=suad|طارق=tariq|"
         "ياسمين=yasmin|كريم=karim",
     .family =
         "محمد=mohamed|أحمد=ahmed|علي=ali|حسن=hassan|إبراهيم=ibrahim|محمود=mahmoud|الحسن=alhassan|"
         "العلي=alali|المصري=almasri|الخطيب=alkhatib|بن سلمان=binsalman|حداد=haddad|خوري=khoury|"
         "النجار=alnajjar|الشريف=alsharif|بوعزيزي=bouazizi|آل سعود=alsaud|القاسمي=alqasimi|"
         "بن عبد العزيز=benabdelaziz|منصور=mansour|درويش=darwish|الفاسي=elfassi",
     .countries = "eg|sa|dz|ma|iq|sy|ae|jo",
     .weight = 60,
     .flags = CULTURE_MIDDLE},
    {.given =
         "דוד=david|נועה=noa|משה=moshe|תמר=tamar|יוסף=yosef|מאיה=maya|דניאל=daniel|אביגיל=avigail|"
         "אורי=uri|יעל=yael|איתי=itai|שרה=sara|אריאל=ariel|רחל=rachel|יונתן=yonatan|מיכל=michal|"
         "צ׳רלי=charlie|נחמיה=nehemia",
     .family = "כהן=cohen|לוי=levi|מזרחי=mizrahi|פרץ=peretz|ביטון=biton|דהן=dahan|אברהם=avraham|"
               "פרידמן=friedman|אזולאי=azoulay|בן־דוד=bendavid|שפירא=shapira|רוזנברג=rosenberg|"
               "בן גוריון=bengurion|קליין=klein|ז׳בוטינסקי=jabotinsky|גבאי=gabay",
     .countries = "il|us|fr",
     .weight = 14,
     .flags = CULTURE_HYPHEN},
    {.given = "علی=ali|فاطمه=fatemeh|محمد=mohammad|زهرا=zahra|حسین=hossein|مریم=maryam|رضا=reza|"
              "نرگس=narges|"
              "امیر=amir|شیرین=shirin|کیان=kian|پریسا=parisa|آرش=arash|ژاله=zhaleh|چنگیز=changiz",
     .family =
         "محمدی=mohammadi|حسینی=hosseini|احمدی=ahmadi|کریمی=karimi|رضایی=rezaei|موسوی=mousavi|"
         "جعفری=jafari|صادقی=sadeghi|علی‌پور=alipour|رحیمی=rahimi|"
         "گل‌محمدی="
         "golmohammadi|"
         "پهلوان‌زاده=pahlavanzadeh",
     .countries = "ir|af|tj",
     .weight = 20,
     .flags = 0},
    {.given = "राम=ram|प्रिया=priya|अमित=amit|अंजलि=anjali|राहुल=rahul|पूजा=pooja|विकास=vikas|नेहा=neha|"
              "संजय=sanjay|कविता=kavita|अर्जुन=arjun|दीपिका=deepika|कृष्ण=krishna|लक्ष्मी=lakshmi|"
              "श्रीकांत=shrikant|ऋतु=ritu|ज्ञानेश्वर=dnyaneshwar|ओम=om|क्षितिज=kshitij|ईशान=ishan",
     .family =
         "कुमार=kumar|शर्मा=sharma|सिंह=singh|वर्मा=verma|गुप्ता=gupta|यादव=yadav|मिश्रा=mishra|"
         "पटेल=patel|जोशी=joshi|चौधरी=chaudhary|अग्रवाल=agarwal|त्रिपाठी=tripathi|श्रीवास्तव=srivastava|"
         "देशपांडे=deshpande|कुलकर्णी=kulkarni|द्विवेदी=dwivedi|थापा=thapa|श्रेष्ठ=shrestha",
     .countries = "in|np|us|gb",
     .weight = 70,
     .flags = CULTURE_MONONYM},
    {.given =
         "Rahul|Priya|Amit|Anjali|Sanjay|Deepa|Vijay|Lakshmi|Suresh|Kavya|Arjun|Divya|Ravi|Meera|"
         "Anil|"
         "Sunita|Venkatanarasimharajuvaripeta|Ananya|Rajesh|Ishaan|Aarav|Saanvi|Gurpreet|Harpreet|"
         "Mohammed|Ayesha|Farhan|Sana",
     .family = "Sharma|Singh|Kumar|Patel|Reddy|Nair|Iyer|Rao|Gupta|Das|Khan|Menon|Pillai|Banerjee|"
               "Chatterjee|"
               "Mukherjee|Desai|Mehta|Kaur|Gill|Fernandes|D'Souza|Naidu|Subramaniam|Ranasinghe|"
               "Wickramasinghe|Perera|Chowdhury",
     .countries = "in|lk|pk|bd|us|gb",
     .weight = 75,
     .flags = CULTURE_MONONYM | CULTURE_MIDDLE},
    {.given =
         "রহিম=rahim|ফাতেমা=fatema|করিম=karim|আয়েশা=ayesha|সুমন=suman|রিমা=rima|অনির্বাণ=anirban|"
         "শর্মিষ্ঠা=sharmistha|তানভীর=tanvir|নুসরাত=nusrat|ঋতুপর্ণা=rituparna|ঈশিতা=ishita",
     .family = "ইসলাম=islam|হোসেন=hossain|রহমান=rahman|আহমেদ=ahmed|খান=khan|আক্তার=akter|বেগম=begum|"
               "দাস=das|"
               "চট্টোপাধ্যায়=chattopadhyay|মুখোপাধ্যায়=mukhopadhyay|সেন=sen|ভট্টাচার্য=bhattacharya",
     .countries = "bd|in|gb",
     .weight = 30,
     .flags = CULTURE_MONONYM},
    {.given = "முருகன்=murugan|லட்சுமி=lakshmi|கார்த்திக்=karthik|மீனா=meena|செல்வம்=selvam|கவிதா=kavitha|"
              "அருண்=arun|பிரியா=priya|ஸ்ரீனிவாசன்=srinivasan|ஔவையார்=avvaiyar",
     .family =
         "ராஜா=raja|சுப்பிரமணியம்=subramaniam|கிருஷ்ணன்=krishnan|நாராயணன்=narayanan|பாண்டியன்=pandian|"
         "வேலு=velu|சண்முகம்=shanmugam|ராமசாமி=ramasamy",
     .countries = "in|lk|sg|my",
     .weight = 16,
     .flags = CULTURE_MONONYM},
    {.given = "Oluwaseun|Chinedu|Ngozi|Adébáyọ̀|Fúnmiláyọ̀|Ọláwálé|Chioma|Emeka|Amara|Yetunde|"
              "Ìfẹ́olúwa|Kwame|"
              "Ama|Kofi|Akosua|Abena|Yaw|Fatou|Mamadou|Aïssatou|Ousmane|N'Golo|Ṣadé|Ifeanyichukwu",
     .family = "Okafor|Adeyemi|Okonkwo|Ọ̀ṣúnlóla|Adéwálé|Nwosu|Eze|Balogun|Mensah|Owusu|Boateng|"
               "Asante|Diop|"
               "Ndiaye|Diallo|Traoré|Koné|N'Diaye|Ba|Sow|Ouédraogo|Chukwuemeka-Okonjo|Ọbásanjọ́",
     .countries = "ng|gh|sn|ml|ci|gb",
     .weight = 50,
     .flags = CULTURE_HYPHEN},
    {.given = "Juma|Amina|Baraka|Neema|Wanjiku|Kamau|Achieng|Otieno|Thandiwe|Sipho|Nomvula|Themba|"
              "Lerato|"
              "Thabo|Zanele|Mandla|Nelson|Grace|Ng'endo|Mwai|!Xóõ|ǂKhomani|Tendai|Rutendo",
     .family =
         "Mwangi|Njoroge|Ochieng|Odhiambo|Kimani|Dlamini|Nkosi|Zulu|Ndlovu|Khumalo|Mokoena|van Wyk|"
         "Botha|Ng'ang'a|Juma|Mushi|Banda|Phiri|Moyo|Mthembu|Hamisi|Rakotomalala|"
         "Andrianampoinimerina",
     .countries = "ke|za|tz|ug|zw|mg",
     .weight = 40,
     .flags = 0},
    {.given =
         "አበበ=abebe|ሰላም=selam|ዳዊት=dawit|ሄለን=helen|ተስፋዬ=tesfaye|ብርሃን=birhan|ሙሉጌታ=mulugeta|ጽጌ=tsige|"
         "ኃይሌ=haile|እመቤት=emebet",
     .family = "ከበደ=kebede|ተፈራ=tefera|ግርማ=girma|ገብረማርያም=gebremariam|ወልደማርያም=woldemariam|"
               "ሃይለሥላሴ=haileselassie|አስፋው=asfaw|ደስታ=desta",
     .countries = "et|er",
     .weight = 12,
     .flags = CULTURE_MONONYM},
};

const struct culture_table NAMES_SOUTH = {CULTURES, sizeof CULTURES / sizeof *CULTURES};
